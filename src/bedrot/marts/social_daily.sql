/* mart
about = "What an account's posts and profile did by day."
row = "one day and account"
key = ["day", "source", "account"]
basis = "visit"
grain = "day"
partition = "whole"

[columns]
day = { type = "DATE", about = "The day, as the service counts days." }
source = { type = "VARCHAR", about = "The service; views of two services are unlike things and never added." }
account = { type = "VARCHAR", about = "The account." }
artist = { type = "VARCHAR", about = "The artist that the account is joined to; null for the label as a whole and for accounts that are not joined." }
views = { type = "BIGINT", unit = "views", basis = "visit", along = ["day", "account"], about = "Views of posts." }
profile_views = { type = "BIGINT", unit = "views", basis = "visit", along = ["day", "account"], about = "Views of the profile." }
likes = { type = "BIGINT", unit = "likes", basis = "visit", along = ["day", "account"], about = "Likes, less those taken back: may be below zero." }
comments = { type = "BIGINT", unit = "comments", basis = "visit", along = ["day", "account"], about = "Comments, less those taken back: may be below zero." }
shares = { type = "BIGINT", unit = "shares", basis = "visit", along = ["day", "account"], about = "Shares." }
followers = { type = "BIGINT", unit = "followers", basis = "visit", along = ["account"], about = "Followers on that day, as told; a level, never added over days." }
new_followers = { type = "BIGINT", unit = "followers", basis = "visit", along = ["day", "account"], about = "followers less those of exactly the day before, by us; null where either is unknown." }
engagement_rate = { type = "DECIMAL(38,6)", unit = "per view", basis = "visit", about = "(likes + comments + shares) / views, by us, rounded half away from zero to six decimals; null where one is unknown or views are zero." }
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
    told.profile_views,
    told.likes,
    told.comments,
    told.shares,
    told.followers,
    told.followers - before.followers AS new_followers,
    ratio(told.likes + told.comments + told.shares, told.views) AS engagement_rate,
    told.provisional,
    told._delivery,
    told._locator
FROM social AS told
LEFT JOIN social AS before
    ON before.source = told.source AND before.account = told.account AND before.day = told.day - 1
LEFT JOIN artist_accounts AS joined ON joined.source = told.source AND joined.account = told.account
