-- Makes a sealed batch of the chunks that an attempt to import it has put.
--
-- KEYS: 1–12 the lane (laneKeys), 13–16 the batch (batchKeys), 17 chunks and 18 index of the attempt
-- ARGV: 1 batch id, 2 stream id, 3 lane, 4 reason, 5 now (wall ms), 6 name of the attempt, 7 how many
--   chunks, 8 recordCount, 9 dataBytes, 10 storedBytes, 11 firstArrivalMs, 12 lastArrivalMs, 13 wrapped
--   data key ('': none)
-- Answer: {'made', SealedBatch (JSON), storedBytes, batchCount}: the latter of the lane; also when the call
--   is repeated. {'known'}: the batch is there, or was. {'gone'}: the stream is deleted. {'lost'}: the
--   chunks are not all there. Only after 'made' nothing of the attempt is left.
-- @include accept
-- @include enqueue
-- @include seal

local lane, batch = laneKeys(), batchKeys(13)
local batchId = ARGV[1]

local function made(facts)
  local usage = redis.call('HMGET', lane.usage, 'storedBytes', 'batchCount')
  return { 'made', facts, tonumber(usage[1] or 0), tonumber(usage[2] or 0) }
end

local sealedBy, facts = unpack(redis.call('HMGET', batch.batch, 'sealedBy', 'facts'))
if sealedBy == ARGV[6] then return made(facts) end
if redis.call('EXISTS', lane.gone) == 1 then return { 'gone' } end
local isKnown = facts or redis.call('EXISTS', batch.entry) == 1
  or redis.call('HEXISTS', lane.receipts, batchId) == 1
if isKnown then return { 'known' } end
if redis.call('LLEN', KEYS[17]) ~= tonumber(ARGV[7]) then return { 'lost' } end

redis.call('HINCRBY', lane.usage, 'storedBytes', ARGV[10])
redis.call('HINCRBY', lane.usage, 'batchCount', 1)
redis.call('RENAME', KEYS[17], batch.chunks)
redis.call('RENAME', KEYS[18], batch.index)
redis.call('PERSIST', batch.chunks)
redis.call('PERSIST', batch.index)
return made(seal(lane, batch, {
  batchId = batchId, streamId = ARGV[2], lane = ARGV[3], sealReason = ARGV[4],
  sealedAtMs = tonumber(ARGV[5]), sealedBy = ARGV[6], recordCount = tonumber(ARGV[8]),
  dataBytes = tonumber(ARGV[9]), storedBytes = tonumber(ARGV[10]),
  firstArrivalMs = tonumber(ARGV[11]), lastArrivalMs = tonumber(ARGV[12]), wrappedDataKey = ARGV[13],
}))
