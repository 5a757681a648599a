-- Daily rows only: lifetime and range rows would count the same spend again.
-- The finest level of an account, day and campaign stands for it (a coarser row repeats the spend of the finer ones), and rows
-- by id stand before rows by name. Where a finer row does not tell its campaign, only the finest level of that day stands. Rows split by age, country, … are left out: they repeat their whole.
-- Results: what the ad was optimised for where Meta tells it, else clicks on links; never a sum over action types.
-- A row that is no ad with an id has `level:entity` for its ad_id, so that each row has one and shows what it is.
WITH daily AS (
    SELECT
        *,
        bool_or(named_by = 'id') OVER (PARTITION BY account, date_start) AS has_ids,
        CASE level WHEN 'ad' THEN 3 WHEN 'adset' THEN 2 WHEN 'campaign' THEN 1 ELSE 0 END AS depth
    FROM staging.metaads_insights
    WHERE span = 'daily' AND breakdown = 'none'
),
named AS (
    SELECT
        *,
        bool_or(depth > 1 AND campaign_id IS NULL AND campaign_name IS NULL) OVER (PARTITION BY account, date_start)
            AS unplaced,
        CASE
            WHEN depth = 0 OR unplaced THEN max(depth) OVER (PARTITION BY account, date_start)
            ELSE max(depth) OVER (PARTITION BY account, date_start, coalesce(campaign_id, campaign_name))
        END AS deepest
    FROM daily
    WHERE named_by = 'id' OR NOT has_ids
),
clicked AS (
    SELECT account, level, named_by, entity, date_start, max(value) AS value
    FROM staging.metaads_actions
    WHERE span = 'daily' AND breakdown = 'none' AND measure = 'count' AND action_type = 'link_click'
        AND action_detail = 'none' AND attribution_window = 'default'
    GROUP BY ALL
)
SELECT
    n.account,
    n.date_start AS day,
    CASE WHEN n.level = 'ad' AND n.named_by = 'id' THEN n.entity ELSE n.level || ':' || n.entity END AS ad_id,
    n.ad_name,
    n.adset_id,
    n.adset_name,
    n.campaign_id,
    n.campaign_name,
    n.spend,
    n.currency,
    n.impressions,
    n.clicks,
    n.reach,
    CASE
        WHEN n.results IS NOT NULL THEN CASE WHEN n.results = trunc(n.results) THEN CAST(n.results AS BIGINT) END
        WHEN c.value = trunc(c.value) THEN CAST(c.value AS BIGINT)
    END AS results,
    CASE
        WHEN n.results IS NOT NULL THEN CASE WHEN n.results = trunc(n.results) THEN n.result_type END
        WHEN c.value = trunc(c.value) THEN 'link_click'
    END AS result_type,
    n.provisional,
    n._delivery,
    n._locator
FROM named AS n
LEFT JOIN clicked AS c USING (account, level, named_by, entity, date_start)
WHERE n.depth = n.deepest
