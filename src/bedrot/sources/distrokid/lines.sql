SELECT
    account, reporting_date, sale_month, store, country, artist, title, isrc, upc, product,
    quantity, share_percent, earnings, currency, withheld, recoup, _delivery, _locator
FROM staging.distrokid_bank
