-- One row an account and day on which TikTok said anything, of personal and business accounts; null where unknown.
WITH days AS (
    SELECT account, date FROM staging.tiktok_overview
    UNION
    SELECT account, date FROM staging.tiktok_followers
    UNION
    SELECT account, date FROM staging.tiktok_business_overview
    UNION
    SELECT account, date FROM staging.tiktok_business_audience
)
SELECT
    d.account,
    d.date AS day,
    coalesce(o.video_views, b.video_views) AS views,
    coalesce(o.profile_views, b.profile_views) AS profile_views,
    coalesce(o.likes, b.likes) AS likes,
    coalesce(o.comments, b.comments) AS comments,
    coalesce(o.shares, b.shares) AS shares,
    coalesce(f.followers, a.total_followers) AS followers,
    FALSE AS provisional,
    coalesce(o._delivery, b._delivery, f._delivery, a._delivery) AS _delivery,
    coalesce(o._locator, b._locator, f._locator, a._locator) AS _locator
FROM days AS d
LEFT JOIN staging.tiktok_overview AS o ON o.account = d.account AND o.date = d.date
LEFT JOIN staging.tiktok_business_overview AS b ON b.account = d.account AND b.date = d.date
LEFT JOIN staging.tiktok_followers AS f ON f.account = d.account AND f.date = d.date
LEFT JOIN staging.tiktok_business_audience AS a ON a.account = d.account AND a.date = d.date
