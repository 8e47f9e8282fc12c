-- How a name looks is claimed too, so that nobody takes a name that readers could mistake for another. The claims of earlier names need
-- the key of each person, so the server makes them when it starts (commands/src/event_store/earlier.rs), and finds the missing ones here.
CREATE INDEX claims_of_looks ON claims (holder, kind) WHERE kind IN ('username_twin', 'channel_name_twin');
