"""Where things stand: an invoice on A4, a receipt from a till."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from decimal import Decimal

from synthetic_documents.tokens.drafts import Draft, fill
from synthetic_documents.tokens.sheet import TokenSheet

_PAGE_PX = 1200.0
_ROLL_PX = 560.0
_MARKED = (":", ":", "", " :")
_NUMBER_MARKS = ("No.", "Nr.", "#", "N°", "")


class PaperLayout(ABC):
    """Draws ``paper`` on ``sheet``; ``printed`` is what then stands there, by field."""

    def __init__(self, rng: random.Random, sheet: TokenSheet, paper: Draft) -> None:
        self.rng = rng
        self.sheet = sheet
        self.paper = paper
        self.total = paper.total
        self.printed: dict[str, object] = {"seller": paper.seller}
        self.y = 60.0
        self.step = sheet.size_px * rng.uniform(1.35, 1.8)
        self.colon = rng.choice(_MARKED)
        self.marked = rng.random() < 0.5
        self.in_caps = rng.random() < 0.2

    @abstractmethod
    def draw(self) -> None: ...

    def label(self, texts: Sequence[str], *, colon: bool = True) -> str:
        text = self.rng.choice(texts) + (self.colon if colon else "")
        return text.upper() if self.in_caps else text

    def down(self, lines: float = 1.0) -> None:
        self.y += self.step * lines

    def sums(self, *, with_tax: bool) -> list[tuple[str, Decimal]]:
        """The rows from the subtotal to the total."""
        paper, words = self.paper, self.paper.language
        rows: list[tuple[str, Decimal]] = []
        extras = bool(paper.discount or paper.charge)
        if with_tax or extras or self.rng.random() < 0.4:
            rows.append((self.label(words.subtotal), paper.subtotal))
            self.printed["subtotal"] = paper.subtotal
        if paper.discount:
            rows.append((self.label(words.discount), -paper.discount if self.rng.random() < 0.6 else paper.discount))
        if paper.charge:
            rows.append((self.label(words.shipping), paper.charge))
        if with_tax:
            rows += [(self._tax_label(rate), amount) for rate, _, amount in paper.taxes]
            self.printed["tax"] = paper.tax
        total = paper.total if with_tax else paper.subtotal - paper.discount + paper.charge
        self.total = total
        self.printed["total"] = total
        rows.append((self.label(words.total), total))
        return rows

    def _tax_label(self, rate: int) -> str:
        name = self.rng.choice(self.paper.language.tax)
        form = self.rng.choice(("{n} {r}%", "{n} ({r}%)", "{r}% {n}", "{n} {r} %", "{n} @ {r}%"))
        return form.format(n=name, r=rate) + self.colon

    def amount(self, value: Decimal) -> str:
        return self.paper.amount(value, marked=self.marked)

    def total_amount(self, value: Decimal) -> str:
        return self.paper.amount(value, marked=self.marked or self.rng.random() < 0.8)


class InvoiceLayout(PaperLayout):
    """Blocks in one or two columns, a table, sums, a foot."""

    in_title = False
    """Whether number and date stand in the title."""

    def draw(self) -> None:
        paper = self.paper
        blocks: list[Callable[[float], None]] = [self._seller, self._buyer, self._meta]
        self.rng.shuffle(blocks)
        if self._seller is not blocks[0] and self.rng.random() < 0.6:
            blocks.remove(self._seller)
            blocks.insert(0, self._seller)
        if self.rng.random() < 0.7:
            self._title()
        columns = [70.0, _PAGE_PX * self.rng.uniform(0.5, 0.62)]
        while blocks:
            together = [blocks.pop(0) for _ in range(min(len(blocks), self.rng.choice((1, 2, 2))))]
            start, ends = self.y, []
            for x, block in zip(columns if len(together) > 1 else [self.rng.choice(columns)], together, strict=True):
                self.y = start
                block(x)
                ends.append(self.y)
            self.y = max(ends)
            self.down(self.rng.uniform(0.5, 1.5))
        self._table()
        self._totals()
        self._foot()
        self.printed |= {"date": paper.day, "invoice_number": paper.number, "buyer": paper.buyer}

    def _title(self) -> None:
        x, centre = self.rng.choice(((70.0, False), (_PAGE_PX / 2, True), (_PAGE_PX * 0.7, False)))
        title = self.rng.choice(self.paper.language.invoice)
        form = self.rng.random()
        if form < 0.15:
            title = f"{title} {self.paper.number}"
        elif form < 0.3:
            kind = self.rng.choice((" ", " ", " (380) "))
            number = f"{self.rng.choice(_NUMBER_MARKS)} {self.paper.number}"
            of = self.rng.choice(self.paper.language.of)
            title = f"{title}{kind}{number} {of} {self.paper.written(self.paper.day)}"
        self.in_title = form < 0.3
        self.sheet.write(x, self.y, title, scale=self.rng.uniform(1.2, 2.2) if form >= 0.3 else 1.0, centre=centre)
        self.down(2.4)

    def _seller(self, x: float) -> None:
        paper = self.paper
        scale = self.rng.choice((1.0, 1.1, 1.5, 1.9))
        named = self.rng.random() < 0.15
        for line in paper.seller_lines:
            before = "From: " if named and line is paper.seller_lines[0] and paper.locale.language == "en" else ""
            self.sheet.write(x, self.y, before + line, scale=scale)
            self.down(scale)
        details = [*paper.address, paper.phone, paper.website]
        if self.rng.random() < 0.8:
            details.append(paper.tax_id)
            self.printed["seller_tax_id"] = paper.tax_id.split(":")[-1].strip()
        for detail in details:
            if detail == paper.tax_id or self.rng.random() < 0.85:
                self.sheet.write(x, self.y, detail)
                self.down()

    def _buyer(self, x: float) -> None:
        paper = self.paper
        label = self.label(paper.language.buyer)
        if self.rng.random() < 0.3:
            self.sheet.write(x, self.y, f"{label} {paper.buyer}")
        else:
            self.sheet.write(x, self.y, label)
            self.down()
            self.sheet.write(x, self.y, paper.buyer)
        self.down()
        for line in paper.buyer_address:
            self.sheet.write(x, self.y, line)
            self.down()
        if self.rng.random() < 0.3:
            self.sheet.write(x, self.y, fill(self.rng, self.rng.choice(paper.locale.tax_id)))
            self.down()

    def _meta(self, x: float) -> None:
        """Number and dates, among others that are like them."""
        paper, words = self.paper, self.paper.language
        rows = [(words.number, paper.number), (words.date, paper.written(paper.day))]
        if self.in_title and self.rng.random() < 0.7:
            rows = [(words.cashier, "A. Berg")]
        if self.rng.random() < 0.5:
            rows.append((words.due_date, paper.written(paper.due)))
            self.printed["due_date"] = paper.due
        self._more_meta(rows)
        if self.rng.random() < 0.4:
            self.rng.shuffle(rows)
        labelled = [(self.label(texts), value) for texts, value in rows]
        form = self.rng.choice(("inline", "cells", "cells", "stacked", "heads"))
        if form == "heads" and len(labelled) <= 3:
            for index, (label, value) in enumerate(labelled):
                self.sheet.write(x + index * 190, self.y, label.rstrip(": "))
                self.sheet.write(x + index * 190, self.y + self.step, value)
            self.down(2)
            return
        value_x = x + max(self.sheet.width(label) for label, _ in labelled) + self.rng.uniform(20, 60)
        for label, value in labelled:
            if form == "cells":
                self.sheet.write(x, self.y, label)
                self.sheet.write(value_x, self.y, value)
            elif form == "stacked":
                self.sheet.write(x, self.y, label)
                self.down()
                self.sheet.write(x, self.y, value)
            else:
                self.sheet.write(x, self.y, f"{label} {value}")
            self.down()

    def _more_meta(self, rows: list[tuple[tuple[str, ...], str]]) -> None:
        paper, words = self.paper, self.paper.language
        if self.rng.random() < 0.35:
            rows.append((words.order_date, paper.written(paper.other_day)))
        if self.rng.random() < 0.4:
            rows.append((words.order_number, paper.other_number))
        if self.rng.random() < 0.3:
            rows.append((words.customer_number, fill(self.rng, "######")))
        if self.rng.random() < 0.15:
            rows.append((words.total, self.total_amount(paper.total)))
        if self.rng.random() < 0.2:
            days = [paper.written(paper.other_day), self.rng.choice(words.until), paper.written(paper.day)]
            rows.append((words.period, " ".join(days)))

    def _table(self) -> None:
        paper = self.paper
        heads = self.rng.choice(paper.language.heads)
        xs = (70.0, 640.0, 820.0, _PAGE_PX - 60)
        order = (0, 1, 2, 3) if self.rng.random() < 0.7 else (1, 0, 2, 3)
        left = (0, 100) if order[0] == 1 else (0, 0)
        places = {0: xs[0] + left[1], 1: xs[1] if order[0] == 0 else xs[0] + 40, 2: xs[2], 3: xs[3]}
        for index, head in enumerate(heads):
            self.sheet.write(places[index], self.y, head, right=index > 0)
        self.down(1.4)
        for line in paper.lines:
            self.sheet.write(places[0], self.y, line.text)
            self.sheet.write(places[1], self.y, str(line.quantity), right=True)
            self.sheet.write(places[2], self.y, self.amount(line.price), right=True)
            self.sheet.write(places[3], self.y, self.amount(line.amount), right=True)
            self.down()
        self.down(0.6)

    def _totals(self) -> None:
        right = _PAGE_PX - 60
        gap = self.rng.choice((140.0, 220.0, 380.0))
        for label, value in self.sums(with_tax=True):
            last = value == self.total
            scale = self.rng.choice((1.0, 1.3)) if last else 1.0
            self.sheet.write(right - gap, self.y, label, right=True, scale=scale)
            self.sheet.write(
                right, self.y, self.total_amount(value) if last else self.amount(value), right=True, scale=scale
            )
            self.down(1.1 * scale)
        for label, value in self._open():
            self.sheet.write(right - gap, self.y, label, right=True)
            self.sheet.write(right, self.y, self.total_amount(value), right=True)
            self.down(1.1)
        if self.rng.random() < 0.15:
            self._tax_summary()

    def _open(self) -> list[tuple[str, Decimal]]:
        """What is left to pay where something was paid before, or is due from before. It is not the invoice's total."""
        words, form = self.paper.language, self.rng.random()
        part = (self.total / 4).quantize(Decimal(1).scaleb(-self.paper.locale.decimals))
        if form > 0.25 or not part:
            return []
        if form > 0.17:
            return [(self.label(words.previous), part), (self.label(words.due), self.total + part)]
        paid = part if form > 0.05 else self.total
        sign = self.rng.choice((1, -1))
        return [(self.label(words.prepaid), sign * paid), (self.label(words.due), self.total - paid)]

    def _tax_summary(self) -> None:
        self.down()
        for rate, base, tax in self.paper.taxes:
            self.sheet.write(70, self.y, f"{rate}%")
            self.sheet.write(300, self.y, self.paper.amount(base), right=True)
            self.sheet.write(500, self.y, self.paper.amount(tax), right=True)
            self.sheet.write(700, self.y, self.paper.amount(base + tax), right=True)
            self.down()

    def _foot(self) -> None:
        paper = self.paper
        self.down(1.5)
        notes = [self.rng.choice(paper.language.thanks), f"IBAN {fill(self.rng, 'DE## #### #### #### #### ##')}"]
        notes += [f"{paper.website}  {paper.phone}", f"Page 1 / {self.rng.randint(1, 3)}"]
        for note in notes:
            if self.rng.random() < 0.5:
                self.sheet.write(70, self.y, note)
                self.down()


class ReceiptLayout(PaperLayout):
    """One narrow column."""

    def draw(self) -> None:
        self._head()
        self._items()
        self._sums()
        self._foot()

    def _head(self) -> None:
        paper = self.paper
        centre = self.rng.random() < 0.75
        x = _ROLL_PX / 2 if centre else 20.0
        scale = self.rng.choice((1.0, 1.0, 1.4, 2.0))
        for line in paper.seller_lines:
            self.sheet.write(x, self.y, line, scale=scale, centre=centre)
            self.down(scale)
        for line in (*paper.address, paper.phone, paper.tax_id, paper.website):
            if self.rng.random() < 0.75:
                self.sheet.write(x, self.y, line, centre=centre)
                self.down()
                if line == paper.tax_id:
                    self.printed["seller_tax_id"] = paper.tax_id.split(":")[-1].strip()
        if title := self.rng.choice(paper.language.receipt):
            self.sheet.write(x, self.y, title, centre=centre)
            self.down()
        self._meta()

    def _meta(self) -> None:
        paper, words = self.paper, self.paper.language
        clock = f"{self.rng.randint(7, 22):02d}:{self.rng.randint(0, 59):02d}"
        day = paper.written(paper.day)
        day_text = self.rng.choice(
            (f"{self.label(words.date)} {day} {clock}", f"{day} {clock}", f"{day}  {clock}", day)
        )
        rows = [day_text]
        if self.rng.random() < 0.6:
            rows.append(f"{self.label(words.number)} {paper.number}")
            self.printed["invoice_number"] = paper.number
        if self.rng.random() < 0.5:
            rows.append(f"{self.label(words.cashier)} {self.rng.choice(('01', 'Anna', 'Linh', '3', 'KASSE 2'))}")
        self.rng.shuffle(rows)
        self.printed["date"] = paper.day
        for row in rows:
            self.sheet.write(20, self.y, row)
            self.down()

    def _items(self) -> None:
        two_rows = self.rng.random() < 0.3
        for line in self.paper.lines:
            amount = self.amount(line.amount)
            if two_rows:
                self.sheet.write(20, self.y, line.text)
                self.down()
                self.sheet.write(40, self.y, f"{line.quantity} x {self.amount(line.price)}")
            else:
                self.sheet.write(20, self.y, f"{line.quantity} {line.text}" if line.quantity > 1 else line.text)
            self.sheet.write(_ROLL_PX - 20, self.y, amount, right=True)
            self.down()

    def _sums(self) -> None:
        paper, words = self.paper, self.paper.language
        with_tax = self.rng.random() < 0.3
        for label, value in self.sums(with_tax=with_tax):
            last = value == self.total
            scale = self.rng.choice((1.0, 1.0, 1.4)) if last else 1.0
            self.sheet.write(20, self.y, label, scale=scale)
            self.sheet.write(
                _ROLL_PX - 20, self.y, self.total_amount(value) if last else self.amount(value), right=True, scale=scale
            )
            self.down(scale)
        total = self.total
        if self.rng.random() < 0.6:
            back = Decimal(0)
            if self.rng.random() < 0.6:
                back = (total / 7).quantize(Decimal(1).scaleb(-paper.locale.decimals))
            self._row(self.label(words.paid), total + back)
            if back or self.rng.random() < 0.5:
                self._row(self.label(words.change), back)
        if not with_tax and self.rng.random() < 0.4:
            rate = self.rng.choice(paper.locale.tax_rates)
            included = (total * rate / (100 + rate)).quantize(Decimal(1).scaleb(-paper.locale.decimals))
            self._row(self._tax_label(rate), included)
            self.printed["tax"] = included

    def _row(self, label: str, value: Decimal) -> None:
        self.sheet.write(20, self.y, label)
        self.sheet.write(_ROLL_PX - 20, self.y, self.amount(value), right=True)
        self.down()

    def _foot(self) -> None:
        for text in (self.rng.choice(self.paper.language.thanks), self.paper.website):
            if self.rng.random() < 0.5:
                self.sheet.write(_ROLL_PX / 2, self.y, text, centre=True)
                self.down()
