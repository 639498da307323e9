"""Operations on all rows of the database, which people start now and then."""
