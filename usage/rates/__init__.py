"""What usage costs: a site's own service units, prices and outages, from dated files."""

from usage.rates.bills import Bill, Billing, Line, bill, printed
from usage.rates.cards import Amount, Card, Flavor, Quota, Rate, Size, Unit, Window
from usage.rates.charges import Charge, Epoch, Epochs, Finding, Piece, Term, charges
from usage.rates.files import read_rates
from usage.rates.spans import tally, united

__all__ = [
    "Amount",
    "Bill",
    "Billing",
    "Card",
    "Charge",
    "Epoch",
    "Epochs",
    "Finding",
    "Flavor",
    "Line",
    "Piece",
    "Quota",
    "Rate",
    "Size",
    "Term",
    "Unit",
    "Window",
    "bill",
    "charges",
    "printed",
    "read_rates",
    "tally",
    "united",
]
