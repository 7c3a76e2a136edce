-- Enters a receipt and what it says into the books, once, and takes the batch off what is queued. A batch
-- that is not in the books yet is entered as accepted, too. The oldest receipts make room.
-- KEYS: gone, entry (of the batch), receipts, accepted, books, replays, imported, delivered, queued, queue
-- ARGV: batchId, heldBy ('': nobody asks), receipt, deliveredAtMs, recordCount, dataBytes, receiptsMax,
--       then the books' columns in turn with their counts
-- Answers 1; 0 when there is a receipt; -1 when the claim is lost; -2 when the stream is deleted.
-- @include held
-- @include accept
-- @include dequeue
-- @include forget-receipts
if redis.call('EXISTS', KEYS[1]) == 1 then return -2 end
if not isHeld(KEYS[2], ARGV[2]) then return -1 end
local keys = {
  receipts = KEYS[3], accepted = KEYS[4], books = KEYS[5], replays = KEYS[6], imported = KEYS[7],
  delivered = KEYS[8], queued = KEYS[9], queue = KEYS[10],
}
local batchId = ARGV[1]
if redis.call('HEXISTS', keys.receipts, batchId) == 1 then return 0 end

-- Removing comes first: it is allowed also when Redis is full, and so is all that follows it.
dequeue(keys, batchId, ARGV[5], ARGV[6])
-- Before the receipt is added, so that it stays, however old it says it is.
local surplus = redis.call('ZCARD', keys.delivered) + 1 - tonumber(ARGV[7])
if surplus > 0 then
  forgetReceipts(keys, redis.call('ZRANGE', keys.delivered, 0, math.min(surplus, 100) - 1))
end
accept(keys, batchId, ARGV[5])
redis.call('SREM', keys.accepted, batchId)
redis.call('HSET', keys.receipts, batchId, ARGV[3])
redis.call('ZADD', keys.delivered, ARGV[4], batchId)
for index = 8, #ARGV, 2 do
  redis.call('HINCRBY', keys.books, ARGV[index], ARGV[index + 1])
end
return 1
