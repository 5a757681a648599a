/* mart
about = "An artist's day at a glance: streams, ads, posts and links side by side, each source in columns of its own; no money."
row = "one artist and day"
key = ["artist", "day"]
basis = "each column its own"
grain = "day"
partition = "whole"

[[trace]]
table = "streams_daily"
on = { artist = "artist", day = "date" }
[[trace]]
table = "ads_daily"
on = ["artist", "day"]
[[trace]]
table = "social_daily"
on = ["artist", "day"]
[[trace]]
table = "links_daily"
on = ["artist", "day"]

[columns]
artist = { type = "VARCHAR", about = "The artist; accounts that are not joined to one are in unjoined." }
day = { type = "DATE", about = "The day, as each service counts days." }
streams_$streams$ = { type = "BIGINT", unit = "streams", basis = "estimate", along = ["day", "artist"], about = "Streams by estimate of $streams$, over the stores in stores_$streams$; null where one of them is not known for the day. Never added to another distributor's." }
stores_$streams$ = { type = "VARCHAR[]", about = "The stores of which $streams$ has told up to that day." }
ad_impressions_$ads$ = { type = "BIGINT", unit = "impressions", basis = "ad platform", along = ["day", "artist"], about = "Times that ads on $ads$ were shown; null where not known." }
ad_clicks_$ads$ = { type = "BIGINT", unit = "clicks", basis = "ad platform", along = ["day", "artist"], about = "Clicks of every kind on ads on $ads$; null where not known." }
views_$social$ = { type = "BIGINT", unit = "views", basis = "visit", along = ["day", "artist"], about = "Views of posts on $social$; null where not known." }
profile_views_$social$ = { type = "BIGINT", unit = "views", basis = "visit", along = ["day", "artist"], about = "Views of the profile on $social$; null where not known." }
likes_$social$ = { type = "BIGINT", unit = "likes", basis = "visit", along = ["day", "artist"], about = "Likes on $social$; null where not known." }
comments_$social$ = { type = "BIGINT", unit = "comments", basis = "visit", along = ["day", "artist"], about = "Comments on $social$; null where not known." }
shares_$social$ = { type = "BIGINT", unit = "shares", basis = "visit", along = ["day", "artist"], about = "Shares on $social$; null where not known." }
followers_$social$ = { type = "BIGINT", unit = "followers", basis = "visit", about = "Followers on $social$ on that day; a level, never added over days." }
new_followers_$social$ = { type = "BIGINT", unit = "followers", basis = "visit", along = ["day", "artist"], about = "Followers on $social$ less those of the day before; null where either is not known." }
page_views_$links$ = { type = "BIGINT", unit = "views", basis = "visit", along = ["day", "artist"], about = "Views of the page of links at $links$; null where not known." }
page_clicks_$links$ = { type = "BIGINT", unit = "clicks", basis = "visit", along = ["day", "artist"], about = "Clicks on that page at $links$; null where not known." }
provisional = { type = "BOOLEAN", about = "Whether one of the numbers is known to change still." }
*/
WITH told AS (
    SELECT artist, source, account, store, date AS day, 'streams' AS measure, streams AS number, provisional
    FROM streams_daily
    UNION ALL
    SELECT artist, source, account, NULL, day, told.measure, told.number, provisional
    FROM (
        SELECT artist, source, account, day, provisional, unnest([
            {'measure': 'impressions', 'number': impressions},
            {'measure': 'clicks', 'number': clicks}
        ]) AS told
        FROM (
            SELECT
                artist,
                source,
                account,
                day,
                CASE WHEN count(impressions) = count(*) THEN CAST(sum(impressions) AS BIGINT) END AS impressions,
                CASE WHEN count(clicks) = count(*) THEN CAST(sum(clicks) AS BIGINT) END AS clicks,
                bool_or(provisional) AS provisional
            FROM ads_daily
            GROUP BY ALL
        )
    )
    UNION ALL
    SELECT artist, source, account, NULL, day, told.measure, told.number, provisional
    FROM (
        SELECT artist, source, account, day, provisional, unnest([
            {'measure': 'views', 'number': views},
            {'measure': 'profile_views', 'number': profile_views},
            {'measure': 'likes', 'number': likes},
            {'measure': 'comments', 'number': comments},
            {'measure': 'shares', 'number': shares},
            {'measure': 'followers', 'number': followers},
            {'measure': 'new_followers', 'number': new_followers}
        ]) AS told
        FROM social_daily
    )
    UNION ALL
    SELECT artist, source, account, NULL, day, told.measure, told.number, provisional
    FROM (
        SELECT artist, source, account, day, provisional, unnest([
            {'measure': 'page_views', 'number': views},
            {'measure': 'page_clicks', 'number': clicks}
        ]) AS told
        FROM links_daily
    )
),
known AS (
    SELECT * FROM told WHERE artist IS NOT NULL AND number IS NOT NULL
),
-- One series is one account (and store); from its first known day on, a sum without it would be too small.
series AS (
    SELECT artist, source, account, store, measure, min(day) AS since FROM known GROUP BY ALL
),
days AS (
    SELECT DISTINCT artist, source, measure, day FROM known
),
summed AS (
    SELECT
        days.artist,
        days.source,
        days.measure,
        days.day,
        CASE WHEN count(known.number) = count(*) THEN CAST(sum(known.number) AS BIGINT) END AS number,
        list(DISTINCT series.store ORDER BY series.store) AS stores,
        bool_or(known.provisional) AS provisional
    FROM days
    JOIN series
        ON series.artist = days.artist
        AND series.source = days.source
        AND series.measure = days.measure
        AND series.since <= days.day
    LEFT JOIN known
        ON known.artist = series.artist
        AND known.source = series.source
        AND known.measure = series.measure
        AND known.account = series.account
        AND known.store IS NOT DISTINCT FROM series.store
        AND known.day = days.day
    GROUP BY ALL
)
SELECT
    artist,
    day,
    max(number) FILTER (WHERE measure = 'streams' AND source = '$streams$') AS streams_$streams$,
    any_value(stores) FILTER (WHERE measure = 'streams' AND source = '$streams$') AS stores_$streams$,
    max(number) FILTER (WHERE measure = 'impressions' AND source = '$ads$') AS ad_impressions_$ads$,
    max(number) FILTER (WHERE measure = 'clicks' AND source = '$ads$') AS ad_clicks_$ads$,
    max(number) FILTER (WHERE measure = 'views' AND source = '$social$') AS views_$social$,
    max(number) FILTER (WHERE measure = 'profile_views' AND source = '$social$') AS profile_views_$social$,
    max(number) FILTER (WHERE measure = 'likes' AND source = '$social$') AS likes_$social$,
    max(number) FILTER (WHERE measure = 'comments' AND source = '$social$') AS comments_$social$,
    max(number) FILTER (WHERE measure = 'shares' AND source = '$social$') AS shares_$social$,
    max(number) FILTER (WHERE measure = 'followers' AND source = '$social$') AS followers_$social$,
    max(number) FILTER (WHERE measure = 'new_followers' AND source = '$social$') AS new_followers_$social$,
    max(number) FILTER (WHERE measure = 'page_views' AND source = '$links$') AS page_views_$links$,
    max(number) FILTER (WHERE measure = 'page_clicks' AND source = '$links$') AS page_clicks_$links$,
    bool_or(provisional) AS provisional
FROM summed
GROUP BY artist, day
