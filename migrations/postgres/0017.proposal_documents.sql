-- Documents of proposals are stored once each from here on, and cut out of those that contain them; what was stored
-- before stays whole and is read as it is. A build from before refuses this schema, for it would answer what was cut.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

COMMENT ON TABLE proposal_versions IS 'A text that begins with # has, in its first line, where which other document of the row was cut out of the rest.';
COMMENT ON TABLE proposal_keys IS 'An answer that begins with # has, in its first line, where which document of its version was cut out of the rest.';
