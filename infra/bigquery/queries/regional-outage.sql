-- Regional outages: minute by minute, in how many of its looks each region failed, and what was done about it.
WITH looks AS (
  SELECT
    TIMESTAMP_TRUNC(TIMESTAMP(JSON_VALUE(result, '$.at')), MINUTE) AS minute,
    JSON_VALUE(result, '$.region') AS region,
    JSON_VALUE(result, '$.target') AS target,
    JSON_VALUE(result, '$.verdict') AS verdict
  FROM streaming.events, UNNEST(JSON_QUERY_ARRAY(payload, '$.results')) AS result
  WHERE event = 'stream.probe.results' AND emittedAt >= @since AND emittedAt < @until
)
SELECT
  minute,
  'probes' AS what,
  CONCAT(region, ' at the ', target) AS subject,
  CONCAT(
    CAST(COUNTIF(verdict != 'ok') AS STRING), ' of ', CAST(COUNT(*) AS STRING), ' fail: ',
    STRING_AGG(DISTINCT IF(verdict != 'ok', verdict, NULL), ', ' ORDER BY IF(verdict != 'ok', verdict, NULL))
  ) AS detail
FROM looks
GROUP BY minute, region, target
HAVING COUNTIF(verdict != 'ok') > 0
UNION ALL
SELECT
  TIMESTAMP_TRUNC(emittedAt, MINUTE),
  'failover',
  COALESCE(JSON_VALUE(payload, '$.contentId'), 'all viewers'),
  CONCAT('to the ', JSON_VALUE(payload, '$.target'), ': ', JSON_VALUE(payload, '$.reason'))
FROM streaming.events
WHERE event = 'cdn.failover'
  AND JSON_VALUE(payload, '$.trigger') != 'ingest-rotation'
  AND emittedAt >= @since AND emittedAt < @until
UNION ALL
SELECT
  TIMESTAMP_TRUNC(emittedAt, MINUTE),
  'cluster',
  JSON_VALUE(payload, '$.cluster'),
  IF(JSON_VALUE(payload, '$.healthy') = 'true', 'in order', 'not in order')
FROM streaming.events
WHERE event = 'cdn.multi_cluster' AND emittedAt >= @since AND emittedAt < @until
ORDER BY minute, what, subject;
