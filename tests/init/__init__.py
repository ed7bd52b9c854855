"""XDMoD's set-up from one file, against a stand-in for XDMoD's programs and a real MariaDB."""
