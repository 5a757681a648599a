/* mart
about = "The artists of the label: those named in the settings, and those of the label's own catalogue."
row = "one artist"
key = ["artist"]
basis = "label"
grain = "artist"
partition = "whole"
untraced = "An artist comes from the settings or the catalogue; the lines of one are those of royalties whose artist is in spellings."

[columns]
artist = { type = "VARCHAR", about = "The name, as the settings give it, else the catalogue." }
told_by = { type = "VARCHAR", about = "settings or catalogue." }
spellings = { type = "VARCHAR[]", about = "Every spelling given or seen; spellings that differ in case and spaces alone are one artist, accents matter." }
accounts = { type = "VARCHAR[]", about = "The accounts that are the artist's, as source/account." }
*/
WITH rules AS (
    SELECT artist, 'settings' AS told_by, spelling, folded(spelling) AS fold FROM artist_spellings
),
sheet AS (
    SELECT min(artist) AS artist, 'catalogue' AS told_by, min(artist) AS spelling, folded(artist) AS fold
    FROM catalogue
    WHERE folded(artist) <> '' AND folded(artist) NOT IN (SELECT fold FROM rules)
    GROUP BY folded(artist)
),
artist AS (
    SELECT * FROM rules
    UNION ALL
    SELECT * FROM sheet
),
seen AS (
    SELECT artist AS spelling FROM names WHERE artist IS NOT NULL
    UNION
    SELECT artist FROM names_shown WHERE artist IS NOT NULL
    UNION
    SELECT artist FROM catalogue WHERE artist IS NOT NULL
),
spelled AS (
    SELECT artist.artist, artist.told_by, artist.spelling FROM artist
    UNION
    SELECT artist.artist, artist.told_by, seen.spelling FROM artist JOIN seen ON folded(seen.spelling) = artist.fold
),
account AS (
    SELECT artist, list(concat(source, '/', account) ORDER BY source, account) AS accounts
    FROM artist_accounts
    WHERE artist IS NOT NULL
    GROUP BY artist
)
SELECT
    spelled.artist,
    spelled.told_by,
    list(spelled.spelling ORDER BY spelled.spelling) AS spellings,
    coalesce(any_value(account.accounts), CAST([] AS VARCHAR[])) AS accounts
FROM spelled
LEFT JOIN account ON account.artist = spelled.artist
GROUP BY spelled.artist, spelled.told_by
