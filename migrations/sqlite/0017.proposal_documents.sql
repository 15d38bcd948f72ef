-- Documents of proposals are stored once each from here on, and cut out of those that contain them; what was stored
-- before stays whole and is read as it is. A build from before refuses this schema, for it would answer what was cut.

-- Nothing is changed: SQLite keeps no comments on its tables.
SELECT 1;
