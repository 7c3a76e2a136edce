-- Puts a sealed batch into its lane's queue, once; not where its stream is deleted or it was delivered.
--
-- KEYS: gone, receipts, queued, entry:<id>, queue, due
-- ARGV: batchId, facts (JSON of SealedBatch), recordCount, dataBytes, firstArrivalMs
-- Answer: 1 if it was entered by this call
-- @include enqueue
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 0 end
local keys = { queued = KEYS[3], entry = KEYS[4], queue = KEYS[5], due = KEYS[6] }
return enqueue(keys, ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
