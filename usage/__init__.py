"""Events to quantities: the sessions and days that XDMoD makes of them."""
