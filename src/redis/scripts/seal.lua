-- Seals a lane's open batch.
--
-- KEYS: 1–12 the lane (laneKeys), 13–16 the batch (batchKeys)
-- ARGV: 1 batch id, 2 stream id, 3 lane, 4 reason, 5 now (wall ms), 6 name of this call
-- Answer: its SealedBatch (JSON), if this call has sealed it, now or before its answer was lost; else nil:
--   it is not the open batch
-- @include accept
-- @include enqueue
-- @include seal
-- @include open-batch

local lane, batch = laneKeys(), batchKeys(13)
local sealedBy, facts = unpack(redis.call('HMGET', batch.batch, 'sealedBy', 'facts'))
if sealedBy == ARGV[6] then return facts end
if redis.call('EXISTS', lane.gone) == 1 then return nil end
local open = openBatch(lane.open)
if not open or open.batchId ~= ARGV[1] then return nil end
return sealOpen(lane, batch, open, {
  streamId = ARGV[2], lane = ARGV[3], sealReason = ARGV[4], sealedAtMs = tonumber(ARGV[5]),
  sealedBy = ARGV[6],
})
