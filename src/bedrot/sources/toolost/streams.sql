SELECT
    account,
    "date",
    store,
    streams,
    -- Of 203 days seen again four days later, the last ones among them, none had changed.
    FALSE AS provisional,
    _delivery,
    _locator
FROM staging.toolost_daily
