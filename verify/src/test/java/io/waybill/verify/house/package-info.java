/* SPDX-License-Identifier: Apache-2.0 */
/** The rules of the house as tests: arrows between modules and packages, one library in one package, doors of the platform. */
package io.waybill.verify.house;
