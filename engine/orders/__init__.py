"""The life of an order: intent, answers, fills, protective stops, deadlines."""
