/* mart
about = "How an account's music streams by day and store, as distributors estimate it before anything is paid."
row = "one day, account and store"
key = ["date", "source", "account", "store"]
basis = "estimate"
grain = "day"
partition = "whole"

[columns]
date = { type = "DATE", about = "The day, as the store counts days." }
source = { type = "VARCHAR", about = "The distributor that tells it; two distributors may tell of the same streams, so sources are never added." }
account = { type = "VARCHAR", about = "Whose account at the distributor." }
artist = { type = "VARCHAR", about = "The artist that the account is joined to; null for the label as a whole and for accounts that are not joined." }
store = { type = "VARCHAR", about = "The store." }
streams = { type = "BIGINT", unit = "streams", basis = "estimate", along = ["date", "account", "store"], about = "Streams by estimate; never to be added to the paid units of royalties." }
provisional = { type = "BOOLEAN", about = "Whether the number is known to change still." }
_delivery = { type = "VARCHAR", about = "The oldest delivery that holds the number as it is." }
_locator = { type = "VARCHAR", about = "Where in that delivery the number stands." }
*/
SELECT
    told.date,
    told.source,
    told.account,
    joined.artist,
    told.store,
    told.streams,
    told.provisional,
    told._delivery,
    told._locator
FROM streams AS told
LEFT JOIN artist_accounts AS joined ON joined.source = told.source AND joined.account = told.account
