-- Weather by kind, for the years from `first_year` on.

CREATE TABLE weather (
  `date` STRING,
  precipitation DOUBLE,
  temp_max DOUBLE,
  temp_min DOUBLE,
  wind DOUBLE,
  weather STRING
) WITH (
  'connector' = 'filesystem',
  'path' = 'file://{{ source }}',
  'format' = 'csv',
  'csv.ignore-parse-errors' = 'true'   -- the heading is not a row
);

CREATE TABLE summary (
  weather STRING,
  days BIGINT,
  rain DOUBLE,
  warmest DOUBLE
) WITH (
  'connector' = 'filesystem',
  'path' = 'file://{{ target }}',
  'format' = 'csv'
);

INSERT OVERWRITE summary
SELECT weather, COUNT(*), ROUND(SUM(precipitation), 1), MAX(temp_max)
FROM weather
WHERE temp_max IS NOT NULL AND TRY_CAST(SUBSTRING(`date`, 1, 4) AS INT) >= {{ first_year }}
GROUP BY weather;
