/* mart
about = "Every recording that a statement, a service or the label's catalogue names, with every spelling seen."
row = "one ISRC"
key = ["isrc"]
basis = "label"
grain = "recording"
partition = "whole"
trace = [{ table = "royalties", on = ["isrc"] }]

[columns]
isrc = { type = "VARCHAR", about = "The recording's ISRC." }
title = { type = "VARCHAR", about = "The catalogue's title, else of the spellings in the newest month of statements the most frequent." }
artist = { type = "VARCHAR", about = "The catalogue's artist, else chosen as the title is." }
joined_artist = { type = "VARCHAR", about = "The artist in artists to whom that spelling belongs; null where it is not joined." }
titles = { type = "VARCHAR[]", about = "Every spelling of the title." }
artist_spellings = { type = "VARCHAR[]", about = "Every spelling of the artist." }
release_date = { type = "DATE", about = "The release date by the catalogue; null where it has none." }
label = { type = "VARCHAR", about = "The label by the catalogue." }
writers = { type = "VARCHAR", about = "The writers by the catalogue." }
lines = { type = "BIGINT", unit = "lines", about = "Lines of statements; zero where no statement has it." }
first_reported = { type = "DATE", about = "The first reporting date on a statement; null where none has it." }
last_reported = { type = "DATE", about = "The last reporting date on a statement; null where none has it." }
*/
WITH told AS MATERIALIZED (
    SELECT isrc, artist, title, date_trunc('month', last_reported) AS month, lines, first_reported, last_reported
    FROM names
    WHERE isrc IS NOT NULL
    UNION ALL
    SELECT isrc, artist, title, NULL, 0, NULL, NULL FROM names_shown WHERE isrc IS NOT NULL
    UNION ALL
    SELECT isrc, artist, title, NULL, 0, NULL, NULL FROM catalogue WHERE isrc IS NOT NULL
),
spelled AS (
    SELECT isrc, 'title' AS what, title AS spelling, month, sum(lines) AS lines
    FROM told
    WHERE title IS NOT NULL
    GROUP BY ALL
    UNION ALL
    SELECT isrc, 'artist' AS what, artist AS spelling, month, sum(lines) AS lines
    FROM told
    WHERE artist IS NOT NULL
    GROUP BY ALL
),
chosen AS (
    SELECT
        isrc,
        first(spelling ORDER BY month DESC NULLS LAST, lines DESC, spelling) FILTER (WHERE what = 'title') AS title,
        first(spelling ORDER BY month DESC NULLS LAST, lines DESC, spelling) FILTER (WHERE what = 'artist') AS artist,
        list(DISTINCT spelling ORDER BY spelling) FILTER (WHERE what = 'title') AS titles,
        list(DISTINCT spelling ORDER BY spelling) FILTER (WHERE what = 'artist') AS artist_spellings
    FROM spelled
    GROUP BY isrc
),
sheet AS (
    SELECT isrc, title, artist, release_date, label, writers
    FROM catalogue
    WHERE isrc IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY isrc
        ORDER BY release_date NULLS LAST, title NULLS LAST, artist NULLS LAST, label NULLS LAST, writers NULLS LAST
    ) = 1
),
counted AS (
    SELECT
        isrc,
        CAST(sum(lines) AS BIGINT) AS lines,
        min(first_reported) AS first_reported,
        max(last_reported) AS last_reported
    FROM told
    GROUP BY isrc
),
joined AS (
    SELECT DISTINCT artist, folded(unnest(spellings)) AS fold FROM artists
)
SELECT
    counted.isrc,
    coalesce(sheet.title, chosen.title) AS title,
    coalesce(sheet.artist, chosen.artist) AS artist,
    joined.artist AS joined_artist,
    coalesce(chosen.titles, CAST([] AS VARCHAR[])) AS titles,
    coalesce(chosen.artist_spellings, CAST([] AS VARCHAR[])) AS artist_spellings,
    sheet.release_date,
    sheet.label,
    sheet.writers,
    counted.lines,
    counted.first_reported,
    counted.last_reported
FROM counted
LEFT JOIN chosen ON chosen.isrc = counted.isrc
LEFT JOIN sheet ON sheet.isrc = counted.isrc
LEFT JOIN joined ON joined.fold = folded(coalesce(sheet.artist, chosen.artist))
