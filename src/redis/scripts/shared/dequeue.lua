-- dequeue(keys, batchId, recordCount, dataBytes): takes a batch off what its lane has queued, once; the
-- counterpart of enqueue. A receipt does it in its own step, so that the books balance before the claim
-- is completed; whoever drops a batch otherwise, or completes the claim, need not ask whether it was.
-- keys: queued, queue
local function dequeue(keys, batchId, recordCount, dataBytes)
  if redis.call('ZREM', keys.queued, batchId) == 0 then return 0 end
  redis.call('HINCRBY', keys.queue, 'recordCount', -recordCount)
  redis.call('HINCRBY', keys.queue, 'dataBytes', -dataBytes)
  return 1
end
