/* mart
about = "What each recording earned by month of sale, store and country, and the rate that it was paid."
row = "one sale month, account, recording, store, country, currency and kind"
key = ["sale_month", "source", "account", "recording", "store", "country", "currency", "kind"]
basis = "paid"
grain = "month of sale"
partition = "by sale_month"
order = "as the SQL sorts"

[[trace]]
table = "royalties"
on = ["sale_month", "source", "account", "isrc", "store", "country", "currency", "kind"]

[columns]
sale_month = { type = "DATE", about = "The first day of the month of sale; the newest months still grow for about four months." }
source = { type = "VARCHAR", about = "The distributor." }
account = { type = "VARCHAR", about = "Whose account at the distributor." }
recording = { type = "VARCHAR", about = "The ISRC; where a line has none, `upc`, the UPC and the title without regard to case and spaces; without a UPC, `artist`, the artist and the title so." }
isrc = { type = "VARCHAR", about = "The ISRC; null where the lines have none." }
store = { type = "VARCHAR", about = "The store, as the distributor writes it." }
store_group = { type = "VARCHAR", about = "The service behind the store's name." }
country = { type = "VARCHAR", about = "The country code as the distributor writes it." }
currency = { type = "VARCHAR", about = "The currency of earnings; money of two currencies is never added." }
kind = { type = "VARCHAR", about = "sale, deduction, return or adjustment, as in royalties." }
lines = { type = "BIGINT", unit = "lines", along = ["sale_month", "source", "account", "recording", "store", "country", "kind"], about = "Lines of statements that are summed here." }
units = { type = "BIGINT", unit = "streams or sales", basis = "paid", along = ["sale_month", "source", "account", "recording", "store", "country", "kind"], about = "Sum of units; null where a line does not tell its quantity." }
deducted_units = { type = "BIGINT", unit = "streams or sales", basis = "paid", along = ["sale_month", "source", "account", "recording", "store", "country"], about = "Sum of deducted units; never to be added to units." }
units_share = { type = "DECIMAL(38,6)", unit = "streams or sales", basis = "paid", along = ["sale_month", "source", "account", "recording", "store", "country", "kind"], about = "Sum of units times the account's share; null where a line does not tell its share." }
earnings = { type = "DECIMAL(38,18)", unit = "currency", basis = "paid", along = ["sale_month", "source", "account", "recording", "store", "country", "kind"], about = "Sum of the account's money, to the last decimal." }
rate_per_1000 = { type = "DECIMAL(38,6)", unit = "currency per 1,000 units", basis = "paid", about = "earnings × 1000 / units, rounded half away from zero to six decimals; null where units are not above zero." }
*/
SELECT
    sale_month,
    source,
    account,
    recording,
    isrc,
    store,
    store_group(store) AS store_group,
    country,
    currency,
    kind,
    lines,
    units,
    deducted_units,
    units_share,
    earnings,
    per_thousand(whole_earnings, units) AS rate_per_1000
FROM (
    SELECT *, whole(earnings) AS whole_earnings
    FROM (
        SELECT
            sale_month,
            source,
            account,
            CASE
                WHEN isrc IS NOT NULL THEN isrc
                WHEN upc IS NOT NULL THEN concat('upc ', upc, ' ', folded(title))
                ELSE concat('artist ', folded(artist), ' title ', folded(title))
            END AS recording,
            isrc,
            store,
            country,
            currency,
            kind,
            count(*) AS lines,
            CASE WHEN count(units) = count(*) THEN CAST(sum(units) AS BIGINT) END AS units,
            CASE WHEN count(deducted_units) = count(*) THEN CAST(sum(deducted_units) AS BIGINT) END AS deducted_units,
            CASE WHEN count(units_share) = count(*) THEN sum(units_share) END AS units_share,
            sum(earnings) AS earnings
        FROM royalties
        GROUP BY ALL
        ORDER BY sale_month, source, account, recording, store, country, currency, kind
    )
)
