/* mart
about = "Spellings and accounts that belong to no artist yet: add them to the settings, or to the catalogue."
row = "one spelling of an artist, or one account, of one source that is not joined"
key = ["what", "source", "account", "spelling"]
basis = "label"
grain = "spelling or account"
partition = "whole"
untraced = "A spelling is followed through royalties.artist, an account through the daily table of its source."

[columns]
what = { type = "VARCHAR", about = "spelling or account." }
source = { type = "VARCHAR", about = "The source." }
account = { type = "VARCHAR", about = "The account." }
spelling = { type = "VARCHAR", about = "The artist as spelled; null for an account." }
number = { type = "BIGINT", unit = "rows", about = "Rows that are not joined for that reason." }
last_day = { type = "DATE", about = "The newest date of these rows; null where they have none." }
*/
WITH joined AS (
    SELECT DISTINCT folded(unnest(spellings)) AS fold FROM artists
),
spelled AS (
    SELECT source, account, artist, lines AS number, last_reported AS last_day FROM names
    UNION ALL
    SELECT source, account, artist, 1, NULL FROM names_shown
),
daily AS (
    SELECT source, account, date AS day FROM streams_daily
    UNION ALL
    SELECT source, account, day FROM ads_daily
    UNION ALL
    SELECT source, account, day FROM social_daily
    UNION ALL
    SELECT source, account, day FROM links_daily
)
SELECT
    'spelling' AS what,
    source,
    account,
    artist AS spelling,
    CAST(sum(number) AS BIGINT) AS number,
    max(last_day) AS last_day
FROM spelled
WHERE artist IS NOT NULL AND folded(artist) NOT IN (SELECT fold FROM joined)
GROUP BY source, account, artist
UNION ALL
SELECT 'account', source, account, NULL, count(*), max(day)
FROM daily
WHERE NOT EXISTS (
    SELECT * FROM artist_accounts WHERE artist_accounts.source = daily.source AND artist_accounts.account = daily.account
)
GROUP BY source, account
