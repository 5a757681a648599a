SELECT account, isrc, upc, artist, title, release_date, label, writers
FROM staging.catalogue
