-- Stream registration: what became of each content, its newest outcome first. A content that was uploaded and is not
-- here has not come to an end yet: look at its channel, then at the dead letters.
SELECT
  JSON_VALUE(payload, '$.contentId') AS contentId,
  event,
  emittedAt,
  CAST(JSON_VALUE(payload, '$.retries') AS INT64) AS retries,
  JSON_VALUE(payload, '$.code') AS code,
  JSON_VALUE(payload, '$.detail') AS detail,
  JSON_VALUE(payload, '$.manifestPath') AS manifestPath
FROM streaming.events
WHERE event IN ('stream.provisioned', 'stream.provisioning.failed', 'stream.retired')
  AND emittedAt >= @since AND emittedAt < @until
QUALIFY ROW_NUMBER() OVER (PARTITION BY JSON_VALUE(payload, '$.contentId') ORDER BY emittedAt DESC) = 1
ORDER BY emittedAt DESC, contentId;
