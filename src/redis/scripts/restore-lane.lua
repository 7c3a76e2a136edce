-- Forgets what the catalog knows of a lane, also that its stream was deleted, and enters books.
-- KEYS: books, gone, then what else is removed
-- ARGV: the books' columns in turn with their counts; none: there are none
-- Answers 1.
redis.call('UNLINK', unpack(KEYS))
if #ARGV > 0 then redis.call('HSET', KEYS[1], unpack(ARGV)) end
return 1
