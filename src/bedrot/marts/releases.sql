/* mart
about = "Every release that a statement, a service or the label's catalogue names, with every spelling seen."
row = "one UPC or EAN"
key = ["upc"]
basis = "label"
grain = "release"
partition = "whole"
trace = [{ table = "royalties", on = ["upc"] }]

[columns]
upc = { type = "VARCHAR", about = "The release's UPC or EAN." }
title = { type = "VARCHAR", about = "The title of the catalogue's row without an ISRC, else of the spellings of the release's title in the newest month of statements the most frequent; null where only tracks are named." }
artist = { type = "VARCHAR", about = "The artist of the catalogue's row without an ISRC, else of all spellings on the release in the newest month the most frequent." }
joined_artist = { type = "VARCHAR", about = "The artist in artists to whom that spelling belongs; null where it is not joined." }
titles = { type = "VARCHAR[]", about = "Every spelling of the release's title." }
artist_spellings = { type = "VARCHAR[]", about = "Every spelling of an artist on the release." }
release_date = { type = "DATE", about = "The first release date that the catalogue gives for the UPC; null where it has none." }
label = { type = "VARCHAR", about = "The label by the catalogue; null where it has none or its rows for the UPC differ." }
recordings = { type = "BIGINT", unit = "recordings", about = "Recordings named on the release." }
lines = { type = "BIGINT", unit = "lines", about = "Lines of statements; zero where no statement has it." }
first_reported = { type = "DATE", about = "The first reporting date on a statement; null where none has it." }
last_reported = { type = "DATE", about = "The last reporting date on a statement; null where none has it." }
*/
WITH told AS MATERIALIZED (
    SELECT
        upc,
        isrc,
        artist,
        CASE WHEN lower(product) = 'album' OR (product IS NULL AND isrc IS NULL) THEN title END AS title,
        date_trunc('month', last_reported) AS month,
        lines,
        first_reported,
        last_reported
    FROM names
    WHERE upc IS NOT NULL
    UNION ALL
    SELECT upc, isrc, artist, release_title, NULL, 0, NULL, NULL FROM names_shown WHERE upc IS NOT NULL
    UNION ALL
    SELECT upc, isrc, artist, CASE WHEN isrc IS NULL THEN title END, NULL, 0, NULL, NULL
    FROM catalogue
    WHERE upc IS NOT NULL
),
spelled AS (
    SELECT upc, 'title' AS what, title AS spelling, month, sum(lines) AS lines
    FROM told
    WHERE title IS NOT NULL
    GROUP BY ALL
    UNION ALL
    SELECT upc, 'artist' AS what, artist AS spelling, month, sum(lines) AS lines
    FROM told
    WHERE artist IS NOT NULL
    GROUP BY ALL
),
chosen AS (
    SELECT
        upc,
        first(spelling ORDER BY month DESC NULLS LAST, lines DESC, spelling) FILTER (WHERE what = 'title') AS title,
        first(spelling ORDER BY month DESC NULLS LAST, lines DESC, spelling) FILTER (WHERE what = 'artist') AS artist,
        list(DISTINCT spelling ORDER BY spelling) FILTER (WHERE what = 'title') AS titles,
        list(DISTINCT spelling ORDER BY spelling) FILTER (WHERE what = 'artist') AS artist_spellings
    FROM spelled
    GROUP BY upc
),
sheet AS (
    SELECT
        upc,
        first(title ORDER BY title) FILTER (WHERE isrc IS NULL AND title IS NOT NULL) AS title,
        first(artist ORDER BY artist) FILTER (WHERE isrc IS NULL AND artist IS NOT NULL) AS artist,
        min(release_date) AS release_date,
        CASE WHEN count(DISTINCT label) = 1 THEN min(label) END AS label
    FROM catalogue
    WHERE upc IS NOT NULL
    GROUP BY upc
),
counted AS (
    SELECT
        upc,
        count(DISTINCT isrc) AS recordings,
        CAST(sum(lines) AS BIGINT) AS lines,
        min(first_reported) AS first_reported,
        max(last_reported) AS last_reported
    FROM told
    GROUP BY upc
),
joined AS (
    SELECT DISTINCT artist, folded(unnest(spellings)) AS fold FROM artists
)
SELECT
    counted.upc,
    coalesce(sheet.title, chosen.title) AS title,
    coalesce(sheet.artist, chosen.artist) AS artist,
    joined.artist AS joined_artist,
    coalesce(chosen.titles, CAST([] AS VARCHAR[])) AS titles,
    coalesce(chosen.artist_spellings, CAST([] AS VARCHAR[])) AS artist_spellings,
    sheet.release_date,
    sheet.label,
    counted.recordings,
    counted.lines,
    counted.first_reported,
    counted.last_reported
FROM counted
LEFT JOIN chosen ON chosen.upc = counted.upc
LEFT JOIN sheet ON sheet.upc = counted.upc
LEFT JOIN joined ON joined.fold = folded(coalesce(sheet.artist, chosen.artist))
