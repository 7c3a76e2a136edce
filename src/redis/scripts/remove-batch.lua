-- Removes a sealed batch.
--
-- KEYS: 1 usage, 2 sealed, 3–7 of the batch: batch, chunks, index, manifest, staged
-- ARGV: 1 batch id
-- Answer: {storedBytes, batchCount} of the lane
-- @include drop-batch

dropBatch(KEYS[1], KEYS[2], { KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7] }, ARGV[1])
local usage = redis.call('HMGET', KEYS[1], 'storedBytes', 'batchCount')
return { tonumber(usage[1] or 0), tonumber(usage[2] or 0) }
