"""What the shop needs so that an order is neither lost nor taken twice."""
