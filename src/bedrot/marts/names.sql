/* mart
about = "Every spelling of a track or release on statements, by partition of royalties, so that nothing else needs to read all lines."
row = "one spelling (artist, title, product) of one ISRC and UPC in one partition of royalties"
key = ["source", "account", "isrc", "upc", "artist", "title", "product", "first_reported"]
basis = "paid"
grain = "spelling within a partition of royalties"
partition = "aligned"
trace = [{ table = "royalties", on = ["source", "account", "isrc", "upc", "artist", "title", "product"] }]

[columns]
source = { type = "VARCHAR", about = "The distributor." }
account = { type = "VARCHAR", about = "Whose account at the distributor." }
isrc = { type = "VARCHAR", about = "The recording's ISRC; null on lines of whole releases." }
upc = { type = "VARCHAR", about = "The release's UPC or EAN." }
artist = { type = "VARCHAR", about = "The artist, as spelled." }
title = { type = "VARCHAR", about = "The title, as spelled." }
product = { type = "VARCHAR", about = "What was sold: a song or an album." }
lines = { type = "BIGINT", unit = "lines", along = ["source", "account", "isrc", "upc"], about = "Lines of statements with this spelling." }
first_reported = { type = "DATE", about = "The first reporting date of these lines." }
last_reported = { type = "DATE", about = "The last reporting date of these lines." }
*/
SELECT
    source,
    account,
    isrc,
    upc,
    artist,
    title,
    product,
    count(*) AS lines,
    min(reporting_date) AS first_reported,
    max(reporting_date) AS last_reported
FROM royalties
GROUP BY ALL
