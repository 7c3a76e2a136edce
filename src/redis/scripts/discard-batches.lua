-- Drops some of a lane's batches, the open one among them if it is named; when the lane has no more, also
-- what it knew of them.
--
-- KEYS: 1 usage, 2 sealed, 3 open, 4 writers, 5 quarantine, 6 positions, 7 requests, 8 requestorder, then of
--   each batch: batch, chunks, index, manifest, staged
-- ARGV: the batches' ids
-- Answer: 1: nothing is left; 0: there are more
-- @include drop-batch

local BATCH_KEYS = 5
for i, batchId in ipairs(ARGV) do
  local first = 9 + (i - 1) * BATCH_KEYS
  local batch = { unpack(KEYS, first, first + BATCH_KEYS - 1) }
  local openId, storedBytes = unpack(redis.call('HMGET', KEYS[3], 'batchId', 'storedBytes'))
  if openId == batchId then
    redis.call('UNLINK', KEYS[3], unpack(batch))
    redis.call('HINCRBY', KEYS[1], 'storedBytes', -storedBytes)
    redis.call('HINCRBY', KEYS[1], 'batchCount', -1)
  end
  dropBatch(KEYS[1], KEYS[2], batch, batchId)
end
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then return 0 end
redis.call('UNLINK', KEYS[1], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
return 1
