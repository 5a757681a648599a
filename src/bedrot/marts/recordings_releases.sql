/* mart
about = "Which recording is on which release, as statements, services and the label's catalogue name them together."
row = "one ISRC on one UPC"
key = ["isrc", "upc"]
basis = "label"
grain = "recording on a release"
partition = "whole"
trace = [{ table = "royalties", on = ["isrc", "upc"] }]

[columns]
isrc = { type = "VARCHAR", about = "The recording's ISRC." }
upc = { type = "VARCHAR", about = "The release's UPC or EAN." }
sources = { type = "VARCHAR[]", about = "The sources that name them together." }
lines = { type = "BIGINT", unit = "lines", about = "Lines of statements; zero where no statement has the two together." }
first_reported = { type = "DATE", about = "The first reporting date on a statement; null where none has it." }
last_reported = { type = "DATE", about = "The last reporting date on a statement; null where none has it." }
*/
SELECT
    isrc,
    upc,
    list(DISTINCT source ORDER BY source) AS sources,
    CAST(sum(lines) AS BIGINT) AS lines,
    min(first_reported) AS first_reported,
    max(last_reported) AS last_reported
FROM (
    SELECT isrc, upc, source, lines, first_reported, last_reported FROM names
    UNION ALL
    SELECT isrc, upc, source, 0, NULL, NULL FROM names_shown
    UNION ALL
    SELECT isrc, upc, source, 0, NULL, NULL FROM catalogue
)
WHERE isrc IS NOT NULL AND upc IS NOT NULL
GROUP BY isrc, upc
