-- Numbers from a generator, summed in windows of a second, to nowhere.

CREATE TABLE numbers (
  n BIGINT,
  moment AS PROCTIME()
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '{{ rows_per_second }}',
  'fields.n.kind' = 'random',
  'fields.n.min' = '1',
  'fields.n.max' = '100'
);

CREATE TABLE sums (
  window_start TIMESTAMP(3),
  total BIGINT,
  numbers BIGINT
) WITH (
  'connector' = '{{ sink }}'
);

INSERT INTO sums
SELECT window_start, SUM(n), COUNT(*)
FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(moment), INTERVAL '1' SECOND))
GROUP BY window_start, window_end;
