-- Enters a batch into the books as accepted, once.
-- KEYS: gone, receipts, accepted, books, replays, imported (of the lane)
-- ARGV: batchId, recordCount
-- Answers 1; 0 when it was entered before; -2 when the stream is deleted.
-- @include accept
if redis.call('EXISTS', KEYS[1]) == 1 then return -2 end
local keys = {
  receipts = KEYS[2], accepted = KEYS[3], books = KEYS[4], replays = KEYS[5], imported = KEYS[6],
}
return accept(keys, ARGV[1], ARGV[2])
