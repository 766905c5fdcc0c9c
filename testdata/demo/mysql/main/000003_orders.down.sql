RENAME TABLE orders TO _deprecated_orders;
