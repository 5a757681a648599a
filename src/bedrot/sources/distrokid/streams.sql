SELECT account, date, 'Spotify' AS store, streams, FALSE AS provisional, _delivery, _locator
FROM staging.distrokid_spotify_daily
UNION ALL
SELECT account, date, 'Apple Music' AS store, streams, provisional, _delivery, _locator
FROM staging.distrokid_apple_daily
