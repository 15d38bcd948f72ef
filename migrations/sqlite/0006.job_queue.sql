-- Nothing to do here: workers run beside a server, and a SQLite file serves one process, which runs what it accepts.
SELECT 1;
