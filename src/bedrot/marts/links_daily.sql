/* mart
about = "Visits to an account's page of links, and clicks there, by day."
row = "one day and account"
key = ["day", "source", "account"]
basis = "visit"
grain = "day"
partition = "whole"

[columns]
day = { type = "DATE", about = "The day, as the service counts days." }
source = { type = "VARCHAR", about = "The service of the page." }
account = { type = "VARCHAR", about = "The account." }
artist = { type = "VARCHAR", about = "The artist that the account is joined to; null for the label as a whole and for accounts that are not joined." }
views = { type = "BIGINT", unit = "views", basis = "visit", along = ["day", "account"], about = "Views of the page." }
unique_views = { type = "BIGINT", unit = "visitors", basis = "visit", about = "Visitors of the day; the same come again on other days, so it is never added." }
clicks = { type = "BIGINT", unit = "clicks", basis = "visit", along = ["day", "account"], about = "Clicks on links of the page." }
unique_clicks = { type = "BIGINT", unit = "visitors", basis = "visit", about = "Visitors of the day who clicked; never added." }
ctr = { type = "DECIMAL(38,6)", unit = "clicks per view", basis = "visit", about = "clicks / views, by us, rounded half away from zero to six decimals; null where views are zero or unknown." }
provisional = { type = "BOOLEAN", about = "Whether the numbers are known to change still." }
_delivery = { type = "VARCHAR", about = "The oldest delivery that holds the numbers as they are." }
_locator = { type = "VARCHAR", about = "Where in that delivery the numbers stand." }
*/
SELECT
    told.day,
    told.source,
    told.account,
    joined.artist,
    told.views,
    told.unique_views,
    told.clicks,
    told.unique_clicks,
    ratio(told.clicks, told.views) AS ctr,
    told.provisional,
    told._delivery,
    told._locator
FROM links AS told
LEFT JOIN artist_accounts AS joined ON joined.source = told.source AND joined.account = told.account
