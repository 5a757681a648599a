SELECT
    account,
    "date" AS day,
    views,
    unique_views,
    clicks,
    unique_clicks,
    provisional,
    _delivery,
    _locator
FROM staging.linktree_daily
