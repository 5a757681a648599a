/* mart
about = "What ads cost and bought by day and ad, as the ad platform counts."
row = "one day and ad"
key = ["day", "source", "account", "ad_id", "result_type"]
basis = "ad platform"
grain = "day"
partition = "whole"

[columns]
day = { type = "DATE", about = "The day in the ad account's time zone." }
source = { type = "VARCHAR", about = "The ad platform." }
account = { type = "VARCHAR", about = "The ad account." }
artist = { type = "VARCHAR", about = "The artist that the account is joined to; null for the label as a whole and for accounts that are not joined." }
ad_id = { type = "VARCHAR", about = "The ad's number, as text." }
ad_name = { type = "VARCHAR", about = "The ad's name." }
adset_id = { type = "VARCHAR", about = "The ad set's number, as text." }
adset_name = { type = "VARCHAR", about = "The ad set's name." }
campaign_id = { type = "VARCHAR", about = "The campaign's number, as text." }
campaign_name = { type = "VARCHAR", about = "The campaign's name." }
spend = { type = "DECIMAL(38,18)", unit = "currency", basis = "ad platform", along = ["day", "account", "ad_id"], about = "Money spent." }
currency = { type = "VARCHAR", about = "The currency of spend; money of two currencies is never added." }
impressions = { type = "BIGINT", unit = "impressions", basis = "ad platform", along = ["day", "account", "ad_id"], about = "Times that the ad was shown." }
clicks = { type = "BIGINT", unit = "clicks", basis = "ad platform", along = ["day", "account", "ad_id"], about = "Clicks of every kind on the ad." }
reach = { type = "BIGINT", unit = "people", basis = "ad platform", about = "People who saw the ad that day; the same people come again on other days and ads, so it is never added." }
results = { type = "BIGINT", unit = "results", basis = "ad platform", about = "What the campaign was to bring, of the type in result_type; types overlap and are never added to each other." }
result_type = { type = "VARCHAR", about = "What results counts." }
provisional = { type = "BOOLEAN", about = "Whether the numbers are known to change still." }
_delivery = { type = "VARCHAR", about = "The oldest delivery that holds the numbers as they are." }
_locator = { type = "VARCHAR", about = "Where in that delivery the numbers stand." }
*/
SELECT
    told.day,
    told.source,
    told.account,
    joined.artist,
    told.ad_id,
    told.ad_name,
    told.adset_id,
    told.adset_name,
    told.campaign_id,
    told.campaign_name,
    told.spend,
    told.currency,
    told.impressions,
    told.clicks,
    told.reach,
    told.results,
    told.result_type,
    told.provisional,
    told._delivery,
    told._locator
FROM ads AS told
LEFT JOIN artist_accounts AS joined ON joined.source = told.source AND joined.account = told.account
