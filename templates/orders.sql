-- Orders come from Kafka, are summed by product, and the sums are kept up to date in a table of the database:
--   CREATE TABLE sales (product VARCHAR(100) PRIMARY KEY, orders BIGINT, quantity BIGINT, revenue DECIMAL(20, 2));
CREATE TABLE orders (
  id       BIGINT,
  product  STRING,
  quantity INT,
  price    DECIMAL(10, 2)
) WITH (
  'connector' = 'kafka',
  'properties.bootstrap.servers' = '{{ brokers }}',
  'topic' = '{{ topic }}',
  'properties.group.id' = 'orders-{{ environment }}',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE sales (
  product  STRING,
  orders   BIGINT,
  quantity BIGINT,
  revenue  DECIMAL(20, 2),
  PRIMARY KEY (product) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:mysql://{{ database }}',
  'table-name' = 'sales',
  'username' = '{{ user }}',
  'password' = '{{ secret("DATABASE_PASSWORD") }}',
  'sink.buffer-flush.interval' = '1s'
);

INSERT INTO sales
SELECT product, COUNT(*), SUM(quantity), CAST(SUM(quantity * price) AS DECIMAL(20, 2))
FROM orders
GROUP BY product;
