"""What a dump holds is told from its text, whoever wrote it."""

from collections.abc import Iterator

import pytest

from operations.backup.dumps import DumpTally, renamed

#: As MySQL's own program writes it: all rows of a statement in one line.
ONE_LINE = rb"""-- MySQL dump
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `modw` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;
USE `modw`;
CREATE TABLE `pi` (
  `id` int, `name` text,
  CONSTRAINT `c` FOREIGN KEY (`id`) REFERENCES `modw_cloud`.`account` (`id`)
) ENGINE=InnoDB;
INSERT INTO `pi` VALUES (1,'a),(b'),(2,'it\'s (1),(2)'),(3,'modw.pi'),(4,NULL);
INSERT INTO `pi` (`id`, `name`) VALUES (5,''),(6,'\\');
CREATE TABLE `none` (`id` int);
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER modw.told AFTER INSERT ON modw.pi FOR EACH ROW
INSERT INTO `none` VALUES (1) */;;
DELIMITER ;
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `modw_cloud`;
USE `modw_cloud`;
CREATE TABLE `account` (`id` int);
INSERT INTO `account` VALUES (1);
/*!50001 VIEW `v` AS select `modw`.`pi`.`name` AS `modw` from (`modw`.`pi` join `modw_cloud`.`account`) */;
-- Dump completed
"""
#: The same rows of one table as MariaDB's program writes them: a row a line.
MANY_LINES = ONE_LINE.replace(b"VALUES (1,'a),(b'),(2", b"VALUES\n(1,'a),(b'),\n(2").replace(b"'),(3,", b"'),\n(3,")
MANY_LINES = MANY_LINES.replace(b"),(4,NULL)", b"),\n(4,NULL)").replace(b"VALUES (5,''),(6", b"VALUES\n(5,''),\n(6")


def pieces(text: bytes, size: int) -> Iterator[bytes]:
    """A text as it may come from a pipe."""
    yield from (text[start : start + size] for start in range(0, len(text), size))


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("dump", [ONE_LINE, MANY_LINES])
def test_rows_are_counted_and_texts_are_not(dump: bytes, size: int) -> None:
    """Brackets and quotation marks within texts make no row."""
    tally = DumpTally()
    assert b"".join(tally.through(pieces(dump, size))) == dump
    counts = {name: content.count for name, content in tally.contents.items()}
    assert counts == {"modw.none": 0, "modw.pi": 6, "modw_cloud.account": 1}
    assert (tally.objects, tally.complete) == (2, True)


def test_a_dump_without_its_end_is_not_complete() -> None:
    """However much of it there is."""
    tally = DumpTally()
    list(tally.through([ONE_LINE.replace(b"-- Dump completed", b"")]))
    assert not tally.complete


def test_another_row_is_another_checksum() -> None:
    """A single character shows."""
    sums = []
    for dump in (ONE_LINE, ONE_LINE.replace(b"(4,NULL)", b"(4,'')")):
        tally = DumpTally()
        list(tally.through([dump]))
        sums.append(tally.contents["modw.pi"].sha256)
    assert sums[0] != sums[1]


@pytest.mark.parametrize("size", [1, 64, 100_000])
@pytest.mark.parametrize("dump", [ONE_LINE, MANY_LINES])
def test_a_dump_is_told_of_other_databases(dump: bytes, size: int) -> None:
    """All that it says goes there, quoted or not, and no row changes."""
    text = b"".join(renamed(pieces(dump, size), {"modw": "x_0", "modw_cloud": "x_1"}))
    assert b"USE `x_0`;" in text
    assert b"USE `x_1`;" in text
    assert b"IF NOT EXISTS*/ `x_1`;" in text
    assert b"REFERENCES `x_1`.`account`" in text
    assert b"TRIGGER x_0.told AFTER INSERT ON x_0.pi" in text
    assert b"select `x_0`.`pi`.`name` AS `modw` from (`x_0`.`pi` join `x_1`.`account`)" in text
    assert b"(3,'modw.pi')" in text
    for name in (b"`modw`.", b"`modw_cloud`", b"USE `modw"):
        assert name not in text


def test_a_dump_of_the_same_databases_is_not_touched() -> None:
    """Byte for byte."""
    same = {"modw": "modw", "modw_cloud": "modw_cloud"}
    assert b"".join(renamed(pieces(ONE_LINE, 10), same)) == ONE_LINE
