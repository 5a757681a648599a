SELECT DISTINCT
    account,
    isrc,
    CAST(NULL AS VARCHAR) AS upc,
    CAST(NULL AS VARCHAR) AS artist,
    title,
    release AS release_title
FROM staging.toolost_tracks
