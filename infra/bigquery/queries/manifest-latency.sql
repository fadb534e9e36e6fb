-- Manifest latency spikes: the slowest minutes of each process, beside its refusals. All processes slow at once: the store
-- or the token service. One: its machine.
WITH minutes AS (
  SELECT payload, emittedAt
  FROM streaming.events
  WHERE event = 'stream.manifest.latency' AND emittedAt >= @since AND emittedAt < @until
  -- Of several with one beginning the longest holds the others.
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY JSON_VALUE(payload, '$.process'), JSON_VALUE(payload, '$.from') ORDER BY emittedAt DESC
  ) = 1
)
SELECT
  JSON_VALUE(payload, '$.process') AS process,
  TIMESTAMP(JSON_VALUE(payload, '$.from')) AS began,
  emittedAt AS ended,
  CAST(JSON_VALUE(payload, '$.requests') AS INT64) AS requests,
  CAST(JSON_VALUE(payload, '$.p50Ms') AS FLOAT64) AS p50Ms,
  CAST(JSON_VALUE(payload, '$.p99Ms') AS FLOAT64) AS p99Ms,
  CAST(JSON_VALUE(payload, '$.objectiveMs') AS FLOAT64) AS objectiveMs,
  JSON_QUERY(payload, '$.results') AS results
FROM minutes
WHERE JSON_VALUE(payload, '$.slow') = 'true'
ORDER BY p99Ms DESC, began, process;
