// The manifest route in Fastify, the way its best users would write it: schemas for what comes in and goes out, one
// look into a cache for token and content, a signature per content and second, counters by prom-client.
// Prints its port when it listens. PEER_CONTENTS: how many contents it knows, PEER_TOKEN: the one viewer's token.

import { createHash, createHmac, randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import prometheus from 'prom-client'

const CONTENTS = Number(process.env.PEER_CONTENTS)
const TOKEN = process.env.PEER_TOKEN
const KEY = Buffer.from('nZtRohdNF9m3cKM24IcK4w==', 'base64')
const TTL = 300
const FRESH_MS = 60_000
const POLICY = { cacheControl: 'private, max-age=30, stale-while-revalidate=30', ttlSeconds: TTL, failover: false }
const PLAYLISTS = { auto: 'master', '1080p': 'master', '720p': 'master', '480p': 'master-480p', '360p': 'master-360p' }

const requests = new prometheus.Counter({
  name: 'streaming_manifest_requests_total',
  help: 'Manifest requests by result.',
  labelNames: ['result']
})
const latency = new prometheus.Histogram({
  name: 'streaming_manifest_latency_ms',
  help: 'Time from manifest request to answer, milliseconds.',
  buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2000]
})
const granted = requests.labels('ok')

const titles = new Map()
for (let number = 0; number < CONTENTS; number++) {
  const id = `3f2a0000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
  const prefix = `https://cdn.example/reels/ss-${id.replaceAll('-', '')}-1/`
  titles.set(id, { id, status: 'ready', prefix, allow: null, deny: null, startsAt: null, endsAt: null, signed: 0, query: '', until: '' })
}

const viewers = new Map()

// What the token service would answer: it is asked once a minute, and its answer is kept by the token's hash.
async function introspect () {
  return { scopes: new Set(['streams.read']), entitlements: [], country: null, expires: Date.now() + 3_600_000 }
}

async function viewerOf (token, now) {
  const key = createHash('sha256').update(token).digest('base64')
  const known = viewers.get(key)
  if (known !== undefined && now < known.fresh) return known.viewer
  const viewer = token === TOKEN ? await introspect() : null
  viewers.set(key, { viewer, fresh: now + FRESH_MS })
  return viewer
}

function sign (title, second) {
  if (title.signed === second) return
  const expires = second + TTL
  const policy = `URLPrefix=${Buffer.from(title.prefix).toString('base64url')}&Expires=${expires}&KeyName=primary`
  title.query = `${policy}&Signature=${createHmac('sha1', KEY).update(policy).digest('base64url')}`
  title.until = new Date(expires * 1000).toISOString()
  title.signed = second
}

class Refusal extends Error {
  constructor (statusCode, code) {
    super(code)
    this.statusCode = statusCode
    this.code = code
  }
}

const app = Fastify({
  logger: false,
  genReqId: request => request.headers['x-correlation-id'] ?? randomUUID(),
  requestIdHeader: false
})

app.setErrorHandler((error, request, reply) => {
  requests.inc({ result: error.code ?? 'internal_error' })
  reply
    .code(error.statusCode ?? 500)
    .header('x-correlation-id', request.id)
    .type('application/problem+json')
    .send({ type: 'about:blank', title: error.message, status: error.statusCode ?? 500, code: error.code })
})

const answer = {
  type: 'object',
  properties: {
    manifestUrl: { type: 'string' },
    expiresAt: { type: 'string' },
    cdn: { type: 'string' },
    entitlements: { type: 'array', items: { type: 'string' } },
    policy: {
      type: 'object',
      properties: {
        cacheControl: { type: 'string' },
        ttlSeconds: { type: 'integer' },
        failover: { type: 'boolean' }
      }
    }
  }
}

app.get('/v1/streams/:contentId/manifest', {
  schema: {
    params: { type: 'object', properties: { contentId: { type: 'string', format: 'uuid' } } },
    querystring: {
      type: 'object',
      properties: {
        quality: { type: 'string', enum: Object.keys(PLAYLISTS), default: 'auto' },
        device: { type: 'string', enum: ['mobile', 'tablet', 'web', 'tv'] },
        geo: { type: 'string', pattern: '^[A-Z]{2}$' },
        session: { type: 'string', format: 'uuid' }
      }
    },
    response: { 200: answer }
  }
}, async (request, reply) => {
  const began = performance.now()
  const authorization = request.headers.authorization
  if (!authorization?.startsWith('Bearer ')) throw new Refusal(401, 'no_token')
  const now = Date.now()
  const viewer = await viewerOf(authorization.slice(7), now)
  if (viewer === null || viewer.expires <= now) throw new Refusal(401, 'inactive_token')
  if (!viewer.scopes.has('streams.read')) throw new Refusal(403, 'missing_scope')
  const title = titles.get(request.params.contentId)
  if (title === undefined) throw new Refusal(404, 'unknown_content')
  if (title.status !== 'ready') throw new Refusal(409, 'not_ready')
  if (viewer.entitlements.length > 0 && !viewer.entitlements.includes(title.id)) throw new Refusal(403, 'not_entitled')
  const country = viewer.country ?? request.query.geo
  if (title.deny?.has(country) || (title.allow && !title.allow.has(country))) throw new Refusal(451, 'country_blocked')
  if (title.startsAt && now < title.startsAt) throw new Refusal(409, 'not_yet_available')
  if (title.endsAt && now >= title.endsAt) throw new Refusal(410, 'no_longer_available')
  sign(title, Math.floor(now / 1000))
  reply
    .header('cache-control', POLICY.cacheControl)
    .header('cdn-cache-control', 'private, max-age=30')
    .header('edge-control', 'cache-maxage=30')
    .header('x-content-type-options', 'nosniff')
    .header('x-correlation-id', request.id)
  granted.inc()
  latency.observe(performance.now() - began)
  return {
    manifestUrl: `${title.prefix}${PLAYLISTS[request.query.quality]}.m3u8?${title.query}`,
    expiresAt: title.until,
    cdn: 'cdn.example',
    entitlements: viewer.entitlements,
    policy: POLICY
  }
})

app.get('/metrics', async (request, reply) => reply.type(prometheus.register.contentType).send(await prometheus.register.metrics()))

await app.listen({ host: '127.0.0.1', port: 0 })
console.log(app.server.address().port)
process.on('SIGTERM', async () => {
  await app.close()
  process.exit(0)
})
