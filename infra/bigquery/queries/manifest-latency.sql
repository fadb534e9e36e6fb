-- Manifest latency spikes: when which process became slow, how slow, and when it was over. `endedAt` empty: it is still
-- slow, or was killed. All processes at once: the store or the token service. One: its machine.
WITH told AS (
  SELECT
    JSON_VALUE(payload, '$.instance') AS instance,
    JSON_VALUE(payload, '$.resolved') = 'true' AS resolved,
    payload,
    emittedAt
  FROM streaming.events
  WHERE event = 'stream.manifest.latency' AND emittedAt >= @since
)
SELECT
  began.instance,
  began.emittedAt AS beganAt,
  MIN(ended.emittedAt) AS endedAt,
  ANY_VALUE(CAST(JSON_VALUE(began.payload, '$.count') AS INT64)) AS requests,
  ANY_VALUE(CAST(JSON_VALUE(began.payload, '$.shareOverSlo') AS FLOAT64)) AS shareOverSlo,
  ANY_VALUE(CAST(JSON_VALUE(began.payload, '$.p99Ms') AS FLOAT64)) AS p99Ms,
  ANY_VALUE(CAST(JSON_VALUE(began.payload, '$.sloMs') AS FLOAT64)) AS sloMs
FROM told AS began
LEFT JOIN told AS ended ON ended.instance = began.instance AND ended.resolved AND ended.emittedAt >= began.emittedAt
WHERE NOT began.resolved AND began.emittedAt < @until
GROUP BY began.instance, began.emittedAt
ORDER BY beganAt, instance;
