-- Nothing to do here: the index was made with its table, which nobody else can use meanwhile.
SELECT 1;
