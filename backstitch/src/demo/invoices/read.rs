//! Reading invoice files.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "InvoiceNo")]
    invoice: String,
    #[serde(rename = "StockCode")]
    sku: String,
    #[serde(rename = "Description")]
    description: String,
    #[serde(rename = "Quantity")]
    quantity: i64,
    #[serde(rename = "UnitPrice")]
    price: String,
    #[serde(rename = "CustomerID")]
    customer: String,
    #[serde(rename = "Country")]
    country: String,
}

/// A product as the day first names it.
pub(crate) struct Product {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) price_minor: i64,
    /// What all invoices of the day ask for together.
    pub(crate) wanted: i64,
    /// Its price changed within the day.
    pub(crate) repriced: bool,
}

/// An invoice, line by line.
pub(crate) struct Invoice {
    pub(crate) number: String,
    /// Empty for a guest.
    pub(crate) customer: String,
    pub(crate) country: String,
    pub(crate) items: Vec<(String, i64)>,
}

impl Invoice {
    /// It takes back what another one sold: its quantities are negative.
    pub(crate) fn is_cancellation(&self) -> bool {
        self.number.starts_with('C')
    }

    /// How many of each product.
    pub(crate) fn units(&self) -> BTreeMap<&str, i64> {
        let mut units: BTreeMap<&str, i64> = BTreeMap::new();
        for (sku, quantity) in &self.items {
            let sum = units.entry(sku).or_default();
            *sum = sum.saturating_add(*quantity);
        }
        units
    }
}

/// One file.
pub(crate) struct Day {
    pub(crate) name: String,
    pub(crate) products: Vec<Product>,
    pub(crate) invoices: Vec<Invoice>,
}

/// Reads every file, in order.
pub(crate) fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<Day>> {
    files.iter().map(|file| read(file).with_context(|| format!("--invoices {}", file.display()))).collect()
}

fn read(file: &Path) -> anyhow::Result<Day> {
    let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let mut day = Day { name, products: Vec::new(), invoices: Vec::new() };
    let (mut products, mut invoices) = (HashMap::new(), HashMap::new());
    for (n, line) in csv::Reader::from_path(file)?.deserialize().enumerate() {
        let line: Line = line.with_context(|| format!("line {}", n + 2))?;
        let price_minor =
            minor(&line.price).with_context(|| format!("line {}: UnitPrice `{}`", n + 2, line.price))?;

        let at = *products.entry(line.sku.clone()).or_insert_with(|| {
            let name = if line.description.trim().is_empty() {
                line.sku.clone()
            } else {
                line.description.trim().into()
            };
            day.products.push(Product {
                sku: line.sku.clone(),
                name,
                price_minor,
                wanted: 0,
                repriced: false,
            });
            day.products.len() - 1
        });
        let product = &mut day.products[at];
        product.wanted = product.wanted.saturating_add(line.quantity.max(0));
        product.repriced |= product.price_minor != price_minor;

        let at = *invoices.entry(line.invoice.clone()).or_insert_with(|| {
            let customer = line.customer.trim_end_matches(".0").to_owned();
            let (number, country) = (line.invoice.clone(), line.country.clone());
            day.invoices.push(Invoice { number, customer, country, items: Vec::new() });
            day.invoices.len() - 1
        });
        day.invoices[at].items.push((line.sku, line.quantity));
    }
    Ok(day)
}

/// `2.55` as 255, exactly: no floating-point number touches money.
fn minor(price: &str) -> anyhow::Result<i64> {
    let (whole, part) = price.split_once('.').unwrap_or((price, ""));
    let part = part.trim_end_matches('0');
    anyhow::ensure!(part.len() <= 2, "more than two decimals");
    let digits = format!("{whole}{part:0<2}");
    Ok(digits.parse()?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn prices_are_exact() {
        for (text, expected) in
            [("2.55", 255), ("2.5", 250), ("18.0", 1800), ("7", 700), ("0.0", 0), ("-11062.06", -1_106_206)]
        {
            assert_eq!(minor(text).unwrap(), expected, "{text}");
        }
        assert!(minor("0.001").is_err());
        assert!(minor("x").is_err());
    }

    #[test]
    fn every_line_stands_as_it_is_and_a_product_s_first_price_stands() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country")
            .unwrap();
        writeln!(
            file,
            "1,A,THING,2,d,1.5,17850.0,EIRE\n1,A,THING,3,d,1.75,17850.0,EIRE\n2,B,,1,d,0.0,,France"
        )
        .unwrap();
        let day = read(file.path()).unwrap();
        assert_eq!(day.invoices[0].items, [("A".to_owned(), 2), ("A".to_owned(), 3)]);
        assert_eq!(
            (day.products[0].price_minor, day.products[0].repriced, day.products[0].wanted),
            (150, true, 5)
        );
        assert_eq!((day.invoices[0].customer.as_str(), day.invoices[1].customer.as_str()), ("17850", ""));
        assert_eq!(day.products[1].name, "B");
    }
}
