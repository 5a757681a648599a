/* mart
about = "What distributors paid for: every line of their statements, once, in the newest form that is known."
row = "one line of a distributor's statement"
key = []
basis = "paid"
grain = "line of a statement; two equal lines are two sales"
partition = "aligned"
order = "as the input"

[columns]
source = { type = "VARCHAR", about = "The distributor." }
account = { type = "VARCHAR", about = "Whose account at the distributor." }
reporting_date = { type = "DATE", about = "The day the distributor got the store's report: the date for a cash-basis account." }
sale_month = { type = "DATE", about = "The first day of the month in which listeners listened or bought." }
store = { type = "VARCHAR", about = "The store, as the distributor writes it." }
store_group = { type = "VARCHAR", about = "The service behind the store's name; a store that is not in our list is its own group." }
country = { type = "VARCHAR", about = "The country code as the distributor writes it: ISO 3166 alpha-2, and codes such as OU and XK." }
artist = { type = "VARCHAR", about = "The artist, as on the line." }
title = { type = "VARCHAR", about = "The title, as on the line." }
isrc = { type = "VARCHAR", about = "The recording's ISRC; null on lines of whole releases." }
upc = { type = "VARCHAR", about = "The release's UPC or EAN, as text." }
product = { type = "VARCHAR", about = "What was sold, as the distributor says: a song or an album." }
kind = { type = "VARCHAR", about = "sale (money of zero or more), deduction (money below zero for a positive quantity), return (money below zero for a negative quantity) or adjustment (money below zero for none)." }
units = { type = "BIGINT", unit = "streams or sales", basis = "paid", along = ["source", "account", "reporting_date", "sale_month", "store", "country", "isrc", "upc"], about = "The quantity; zero on a deduction, whose quantity is a part of streams that another line counts." }
deducted_units = { type = "BIGINT", unit = "streams or sales", basis = "paid", along = ["source", "account", "reporting_date", "sale_month", "store", "country", "isrc", "upc"], about = "The quantity of a deduction; never to be added to units." }
share_percent = { type = "DECIMAL(38,18)", unit = "percent", about = "The account's share of the line; null where it is not told." }
units_share = { type = "DECIMAL(18,6)", unit = "streams or sales", basis = "paid", along = ["source", "account", "reporting_date", "sale_month", "store", "country", "isrc", "upc"], about = "units × share_percent / 100, from the share's first four decimals; null where the share is not told." }
earnings = { type = "DECIMAL(38,18)", unit = "currency", basis = "paid", along = ["source", "account", "reporting_date", "sale_month", "store", "country", "isrc", "upc", "kind"], about = "The account's money, already after its share: never to be multiplied by share_percent again." }
currency = { type = "VARCHAR", about = "The currency of all money on the line (ISO 4217); null where it is not told. Money of two currencies is never added." }
withheld = { type = "DECIMAL(38,18)", unit = "currency", basis = "paid", along = ["source", "account", "reporting_date", "sale_month", "store", "country", "isrc", "upc", "kind"], about = "Songwriter royalties withheld, as told; not taken from earnings here." }
recoup = { type = "DECIMAL(38,18)", unit = "currency", basis = "paid", along = ["source", "account", "reporting_date", "sale_month", "store", "country", "isrc", "upc", "kind"], about = "Recoupment of an advance, as told; not taken from earnings here." }
_delivery = { type = "VARCHAR", about = "The oldest delivery that holds the line as it is." }
_locator = { type = "VARCHAR", about = "Where in that delivery the line stands." }
*/
SELECT
    line.source,
    line.account,
    line.reporting_date,
    line.sale_month,
    line.store,
    store_group(line.store) AS store_group,
    line.country,
    line.artist,
    line.title,
    line.isrc,
    line.upc,
    line.product,
    line.kind,
    line.units,
    CASE WHEN line.kind = 'deduction' THEN line.quantity ELSE 0 END AS deducted_units,
    line.share_percent,
    CASE
        WHEN line.share_percent = 100 THEN CAST(line.units AS DECIMAL(18, 6))
        ELSE CAST(CAST(line.units AS DECIMAL(20, 0)) * CAST(line.share_percent AS DECIMAL(9, 4)) * 0.01 AS DECIMAL(18, 6))
    END AS units_share,
    line.earnings,
    line.currency,
    line.withheld,
    line.recoup,
    line._delivery,
    line._locator
FROM (
    SELECT *, CASE WHEN kind = 'deduction' THEN 0 ELSE quantity END AS units
    FROM (
        SELECT *,
            CASE
                WHEN earnings >= 0 THEN 'sale'
                WHEN earnings < 0 AND quantity > 0 THEN 'deduction'
                WHEN earnings < 0 AND quantity < 0 THEN 'return'
                ELSE 'adjustment'
            END AS kind
        FROM lines
    )
) AS line
