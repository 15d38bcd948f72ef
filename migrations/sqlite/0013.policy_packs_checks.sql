-- Nothing to do here: a rule on a SQLite column holds for every row from the moment the table has it.
SELECT 1;
